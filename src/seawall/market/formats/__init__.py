"""The layouts of files bars come in, and how each is read and written."""
