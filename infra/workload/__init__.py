"""The Kubernetes objects of one service; knows no cloud. A file for each kind of object or concern."""
