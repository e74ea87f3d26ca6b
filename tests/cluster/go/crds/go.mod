module slipway/tests/cluster/crds

go 1.26.0

// Only files are taken from these: definitions of custom resources.
require (
	github.com/kedacore/keda/v2 v2.21.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.4.0
)
