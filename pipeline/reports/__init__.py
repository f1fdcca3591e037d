"""Reports: figures -> text, pages and pictures."""
