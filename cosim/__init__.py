"""The bridge: ngspice campaigns, data sets, cross-validation, sign-off, reports and the command line.

From the bottom up, each importing only from those above it in this list (``tests/test_layers.py``):

- ``spice``: the simulator, its options and what is tried where it does not converge
- ``files``: data sets, measurements, files of run folders, provenance
- ``vmm``: one VMM in ngspice and its checks; ``noise``: what ngspice says of the cell's noise
- ``campaigns``: plans of many VMMs, workers, the store of finished runs; ``figures``: pictures of reports and studies
- ``fitting``: surrogates fitted and held against SPICE; ``deployment``: networks retrained and signed off;
  ``design_space``: studies of mappings, converters and few bits without SPICE
- ``run_folder``: the main job, its report, and whether a folder is what it says it is
- ``study``: variants of a design; ``reproduction``: published networks on simulated layouts
- ``commands``: what each command does; ``cli``: their names and options
"""
