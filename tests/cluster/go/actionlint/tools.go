//go:build tools

// Package actionlint pins actionlint and everything it is built from.
package actionlint

import _ "github.com/rhysd/actionlint/cmd/actionlint"
