"""Figures and the protocol that they were obtained under; no model is needed here."""
