"""Network architectures, one per file, and the bundles shipped with rtbold."""
