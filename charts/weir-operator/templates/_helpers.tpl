{{- define "weir-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Names of services have no dots, names of releases may. */}}
{{- define "weir-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | replace "." "-" | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | replace "." "-" | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | replace "." "-" | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Never changes in the life of a release: selectors cannot. */}}
{{- define "weir-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "weir-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "weir-operator.labels" -}}
{{- include "weir-operator.labelsAnd" (dict "root" .) }}
{{- end }}

{{/*
Labels of an object that has further ones. Each stands there once: those of the object go before the common ones, and these before
the chart's own, but nothing changes what selectors look for. Takes root and labels.
*/}}
{{- define "weir-operator.labelsAnd" -}}
{{- $fixed := include "weir-operator.selectorLabels" .root | fromYaml }}
{{- $_ := set $fixed "app.kubernetes.io/component" "operator" }}
{{- $own := dict "app.kubernetes.io/version" .root.Chart.AppVersion "app.kubernetes.io/part-of" "weir" }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- toYaml (merge (dict) $fixed (.labels | default dict) .root.Values.commonLabels $own) }}
{{- end }}

{{/* Labels and, if there are any, annotations of an object's metadata. */}}
{{- define "weir-operator.metadata" -}}
labels:
  {{- include "weir-operator.labels" . | nindent 2 }}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "weir-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "weir-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image in full: its digest goes before its tag, and that before the chart's version. */}}
{{- define "weir-operator.imageOf" -}}
{{- $repository := .image.repository }}
{{- with .image.registry }}{{ $repository = printf "%s/%s" . $repository }}{{ end }}
{{- if .image.digest }}
{{- printf "%s@%s" $repository .image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .version .image.tag) }}
{{- end }}
{{- end }}

{{- define "weir-operator.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1654
runAsGroup: 1654
fsGroup: 1654
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "weir-operator.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{/* What the operator may do in a namespace that it looks after. */}}
{{- define "weir-operator.rules" -}}
- apiGroups: [weir.dev]
  resources: [weirclusters, topics, consumergroups]
  verbs: [get, list, watch, patch]
- apiGroups: [weir.dev]
  resources: [consumergroupresets]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [weir.dev]
  resources: [weirclusters/status, topics/status, consumergroups/status, consumergroupresets/status]
  verbs: [get, patch]
- apiGroups: [weir.dev]
  resources: [weirclusters/finalizers, topics/finalizers, consumergroups/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}
