"""Int8 networks: quantised copies of trained ones, for CPUs."""
