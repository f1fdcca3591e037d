"""The stages around SORN: datasets, part masks, training, evaluation. Knows paths."""
