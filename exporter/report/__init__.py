"""The report: one HTML file about a snapshot, for the person who pays and the one who audits."""
