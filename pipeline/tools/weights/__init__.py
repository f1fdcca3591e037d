"""Packing of finished trainings as networks that ship: `sorn weights pack`."""
