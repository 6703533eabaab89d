{{/* Names of services have no dots, names of releases may. */}}
{{- define "weir-cluster.name" -}}
{{- default .Release.Name .Values.nameOverride | replace "." "-" | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* By which the pod of `helm test` is found. */}}
{{- define "weir-cluster.selectorLabels" -}}
app.kubernetes.io/name: weir-cluster
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
Labels of an object. Each stands there once: those of the object go before the common ones, and these before the chart's own, but
nothing changes what selectors look for. Takes root and labels.
*/}}
{{- define "weir-cluster.labels" -}}
{{- $fixed := include "weir-cluster.selectorLabels" .root | fromYaml }}
{{- $own := dict "app.kubernetes.io/version" .root.Chart.AppVersion "app.kubernetes.io/part-of" "weir" }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- toYaml (merge (dict) $fixed (.labels | default dict) .root.Values.commonLabels $own) }}
{{- end }}

{{/* The labels that the operator gives to the brokers' pods. */}}
{{- define "weir-cluster.brokerLabels" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ include "weir-cluster.name" . }}
app.kubernetes.io/component: broker
{{- end }}

{{/* Metadata of an object. Takes root, name, labels and annotations. */}}
{{- define "weir-cluster.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "weir-cluster.labels" (dict "root" .root "labels" .labels) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Adds what is missing, at any depth. merge would take false and 0 for missing. Takes into and from. */}}
{{- define "weir-cluster.fill" -}}
{{- $into := .into }}
{{- range $key, $value := .from }}
{{- if not (hasKey $into $key) }}
{{- $_ := set $into $key $value }}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $into $key)) }}
{{- include "weir-cluster.fill" (dict "into" (get $into $key) "from" $value) }}
{{- end }}
{{- end }}
{{- end }}

{{/* A specification: what is given, without what belongs into the metadata and what is empty. Takes root, values, defaults. */}}
{{- define "weir-cluster.spec" -}}
{{- $spec := deepCopy .values }}
{{- include "weir-cluster.fill" (dict "into" $spec "from" (deepCopy .defaults)) }}
{{- $spec = omit $spec "labels" "annotations" }}
{{- range $key, $value := $spec }}
{{- if or (kindIs "invalid" $value) (and (or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "string" $value)) (empty $value)) }}
{{- $spec = omit $spec $key }}
{{- end }}
{{- end }}
{{- toYaml $spec }}
{{- end }}
