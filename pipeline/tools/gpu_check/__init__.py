"""Check of one GPU: training, labels, extraction and matching beside the CPU's."""
