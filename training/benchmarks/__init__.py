"""The race against the lecture's recipe, and what training costs; the page needs none of this."""
