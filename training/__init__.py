"""Training, measuring and publishing sparse autoencoders. The command line is `python -m training`."""
