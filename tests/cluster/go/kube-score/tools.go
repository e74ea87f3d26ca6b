//go:build tools

// Package score pins kube-score and everything it is built from.
package score

import _ "github.com/zegl/kube-score/cmd/kube-score"
