//go:build tools

// Package promtool pins promtool and everything it is built from.
package promtool

import _ "github.com/prometheus/prometheus/cmd/promtool"
