"""Small regression problems and the methods that are held against language models."""
