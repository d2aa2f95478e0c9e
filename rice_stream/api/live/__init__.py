"""What is told to open pages by itself: that something has changed, and never what it is now."""
