"""Readers of medical images, procedural phantoms, preprocessing and the patient-level split."""
