// Says of each document of YAML files what a cluster would: what the API server says by the kind's definition, and what
// Istio's own validation says, which istiod's webhook and `istioctl validate` run. One line of JSON for each.
//
//	validate [-definitions FILE]… FILE…
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubernetes "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
	_ "istio.io/istio/pkg/config/validation" // registers what collections validate with
)

type verdict struct {
	File string `json:"file"`
	Kind string `json:"kind"`
	// The specification, as a cluster reads it.
	Spec any `json:"spec"`
	// What the API server has against it; empty when it would store it.
	Cluster string `json:"cluster,omitempty"`
	// Whether the kind is one of Istio's.
	Istios bool `json:"istios"`
	// What Istio has against it; empty when it would use it.
	Istio string `json:"istio,omitempty"`
	// What Istio only warns of.
	Warning string `json:"warning,omitempty"`
}

func main() {
	var definitions []string
	flag.Func("definitions", "a file with CustomResourceDefinitions", func(file string) error {
		definitions = append(definitions, file)
		return nil
	})
	flag.Parse()
	if err := run(definitions, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(definitions, files []string) error {
	// The definitions themselves are the API server's business, and some use what this version does not know.
	cluster, err := crd.NewValidatorFromFilesWithOptions(definitions, crd.WithoutCRDValidation())
	if err != nil {
		return err
	}
	lines := json.NewEncoder(os.Stdout)
	lines.SetEscapeHTML(false)
	for _, file := range files {
		open, err := os.Open(file)
		if err != nil {
			return err
		}
		defer open.Close()
		documents := kubernetes.NewYAMLReader(bufio.NewReader(open))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			object := &unstructured.Unstructured{}
			if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := lines.Encode(judge(cluster, object, file)); err != nil {
				return err
			}
		}
	}
	return nil
}

func judge(cluster *crd.Validator, object *unstructured.Unstructured, file string) verdict {
	result := verdict{File: file, Kind: object.GetKind(), Spec: object.Object["spec"]}
	if err := cluster.ValidateCustomResource(object.DeepCopy()); err != nil {
		result.Cluster = err.Error()
	}
	kind := object.GroupVersionKind()
	schema, found := collections.Pilot.FindByGroupVersionAliasesKind(
		config.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind})
	if !found {
		return result
	}
	result.Istios = true
	warning, err := validate(schema, object)
	if err != nil {
		result.Istio = err.Error()
	}
	if warning != nil {
		result.Warning = warning.Error()
	}
	return result
}

func validate(schema resource.Schema, object *unstructured.Unstructured) (warning, err error) {
	text, err := json.Marshal(object.Object["spec"])
	if err != nil {
		return nil, err
	}
	spec, err := schema.NewInstance()
	if err != nil {
		return nil, err
	}
	if err := config.ApplyJSONStrict(spec, string(text)); err != nil {
		return nil, err
	}
	namespace := object.GetNamespace()
	if namespace == "" {
		namespace = "default"
	}
	return schema.ValidateConfig(config.Config{
		Meta: config.Meta{
			GroupVersionKind: schema.GroupVersionKind(),
			Name:             object.GetName(),
			Namespace:        namespace,
			Labels:           object.GetLabels(),
			Annotations:      object.GetAnnotations(),
		},
		Spec: spec,
	})
}
