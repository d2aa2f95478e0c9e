"""What is sent to each type of channel, word for word. Pure."""
