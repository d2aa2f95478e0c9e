"""HTTP out: live carbon intensities. The only room that calls other services' HTTP, alert channels apart."""
