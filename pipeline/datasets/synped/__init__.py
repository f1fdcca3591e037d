"""SynPed, the embedded dataset: rendered pedestrians with exact part masks, occluders and cameras."""
