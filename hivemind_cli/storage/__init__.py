"""Engines for the Store port: one file each, one suite for all."""
