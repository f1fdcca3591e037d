"""SynPed, the embedded dataset of rendered pedestrians with ground-truth masks.

It also has occluders and several cameras.
"""
