{{/* rules/name-classifier.yaml with the defaults in it replaced by what this release is called and the values say */}}
{{- define "name-classifier.rules" -}}
{{- $namespace := .Release.Namespace -}}
{{- $job := include "name-classifier.serviceName" . -}}
{{- $deployment := include "name-classifier.fullname" . -}}
{{- $rules := .Files.Get "rules/name-classifier.yaml" -}}
{{- $rules = replace `job="name-classifier"` (printf `namespace=%q, job=%q` $namespace $job) $rules -}}
{{- $rules = replace `job: name-classifier` (printf `namespace: %q, job: %q` $namespace $job) $rules -}}
{{- $rules = replace `deployment="name-classifier"` (printf `namespace=%q, deployment=%q` $namespace $deployment) $rules -}}
{{- $rules = replace `pod=~"name-classifier-` (printf `namespace=%q, pod=~"%s-` $namespace $deployment) $rules -}}
{{- $rules = replace `job_name=~"name-classifier-training-` (printf `namespace=%q, job_name=~"%s-` $namespace (include "name-classifier.trainingName" .)) $rules -}}
{{- $rules = replace `- name: name-classifier` (printf `- name: %q` $deployment) $rules -}}
{{- with .Values.prometheusRule }}
{{- $rules = replace `https://github.com/OWNER/REPO/blob/main/docs/runbooks` (trimSuffix "/" .runbooksUrl) $rules -}}
{{- $rules = replace `le="0.1"` (printf `le="%v"` .objectives.latencySeconds) $rules -}}
{{- $budgets := dict "error_budget:ratio" (printf "1 - %v" .objectives.availability) "latency_budget:ratio" (printf "1 - %v" .objectives.latency) "mean_latency_bound:seconds" .objectives.meanLatencySeconds -}}
{{- range $record, $value := $budgets }}
{{- $rules = regexReplaceAll (printf `(record: name_classifier:%s\s+expr:) .*` $record) $rules (printf `${1} vector(%v)` $value) -}}
{{- end }}
{{- end }}
{{- $rules }}
{{- end }}
