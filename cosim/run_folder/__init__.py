"""The main job and its run folder: report, key figures, and whether it is what it says it is."""
