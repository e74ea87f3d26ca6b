//go:build tools

// Package etcd pins etcd and everything it is built from.
package etcd

import _ "go.etcd.io/etcd/server/v3"
