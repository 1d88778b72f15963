"""Image fidelity (NumPy only) and feature distances (FID-Med, KID)."""
