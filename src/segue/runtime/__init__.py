"""What every backend needs of the machine: catalogues, weights, devices, memory."""
