// Writes the scrape configuration that Prometheus's operator makes of the PodMonitor on standard input, as JSON or
// YAML, for the version of Prometheus in its first argument.
package main

import (
	"io"
	"log"
	"os"

	"github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	check(err)
	var monitor v1.PodMonitor
	check(yaml.UnmarshalStrict(text, &monitor))
	server := &v1.Prometheus{}
	server.Name, server.Namespace = "watching", monitor.Namespace
	server.Spec.Version = os.Args[1]
	server.Spec.ScrapeInterval, server.Spec.EvaluationInterval = "30s", "30s"
	generator, err := prometheus.NewConfigGenerator(nil, server)
	check(err)
	client := fake.NewSimpleClientset()
	store := assets.NewStoreBuilder(client.CoreV1(), client.CoreV1())
	monitors := map[string]*v1.PodMonitor{monitor.Namespace + "/" + monitor.Name: &monitor}
	made, err := generator.GenerateServerConfiguration(server, nil, monitors, nil, nil, store, nil, nil, nil, nil)
	check(err)
	_, err = os.Stdout.Write(made)
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
