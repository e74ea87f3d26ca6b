//go:build tools

// Package metricsserver pins metrics-server and everything it is built from.
package metricsserver

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
