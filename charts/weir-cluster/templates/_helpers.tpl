{{- define "weir-cluster.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "weir-cluster.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: weir-cluster
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: weir
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
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
  {{- include "weir-cluster.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A specification: what is given, without what belongs into the metadata and what is empty. Takes root, values, defaults. */}}
{{- define "weir-cluster.spec" -}}
{{- $spec := merge (deepCopy .values) (deepCopy .defaults) }}
{{- $spec = omit $spec "labels" "annotations" }}
{{- range $key, $value := $spec }}
{{- if or (kindIs "invalid" $value) (and (or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "string" $value)) (empty $value)) }}
{{- $spec = omit $spec $key }}
{{- end }}
{{- end }}
{{- toYaml $spec }}
{{- end }}
