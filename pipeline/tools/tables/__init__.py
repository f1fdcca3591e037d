"""The paper's tables as a grid of trainings."""
