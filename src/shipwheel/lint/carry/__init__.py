"""From a Dockerfile to the settings of Shipwheel."""
