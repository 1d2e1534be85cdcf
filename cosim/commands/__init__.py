"""What the commands of fgcosim do, a file for each or for a few that belong together; cosim/cli.py lists them."""
