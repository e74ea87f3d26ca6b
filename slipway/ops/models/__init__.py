"""Models: named, built in environments of their own, judged against what serves, kept in stores."""
