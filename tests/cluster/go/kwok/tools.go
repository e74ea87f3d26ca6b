//go:build tools

// Package kwok pins kwok and everything it is built from.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
