"""The student: the small causal network that ships."""
