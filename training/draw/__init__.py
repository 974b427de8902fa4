"""Charts, figures and images, for the page, for print and for cards."""
