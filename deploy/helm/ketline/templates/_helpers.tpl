{{/* The name of the release's objects. */}}
{{- define "ketline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ketline.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "ketline.selector" . }}
{{- end -}}

{{- define "ketline.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The image of a pod; the argument is a list of the root and the image's values. */}}
{{- define "ketline.image" -}}
{{- $root := index . 0 -}}
{{- $image := mergeOverwrite (deepCopy $root.Values.image) (index . 1) -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What all pods have in common; the argument is a list of the root and the annotations. */}}
{{- define "ketline.pod" -}}
{{- $root := index . 0 -}}
# Without this, the address of a Service named ketline would be a variable KETLINE_PORT, which is rejected.
enableServiceLinks: false
automountServiceAccountToken: false
{{- with $root.Values.serviceAccount.name }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 512Mi}
  - name: secrets
    projected:
      defaultMode: 0440
      sources: {{- include "ketline.secrets" $root | nindent 8 }}
{{- end -}}

{{- define "ketline.secrets" -}}
- secret:
    name: {{ required "database.existingSecret: the name of the secret with the URL of PostgreSQL" .Values.database.existingSecret }}
    items:
      - {key: {{ .Values.database.key }}, path: DATABASE_URL}
      {{- with .Values.database.directKey }}
      - {key: {{ . }}, path: KETLINE_DATABASE_DIRECT_URL}
      {{- end }}
- secret:
    name: {{ required "queue.existingSecret: the name of the secret with the URL of RabbitMQ or Redis" .Values.queue.existingSecret }}
    items:
      - {key: {{ .Values.queue.key }}, path: KETLINE_QUEUE_URL}
{{- range .Values.secrets }}
- secret:
    name: {{ .name }}
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "ketline.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /run/ketline, readOnly: true}
{{- end -}}

{{/* Variables of a container; the argument is a list of the root, its own variables, and its part of the settings. */}}
{{- define "ketline.env" -}}
{{- $root := index . 0 -}}
{{- $own := merge (dict "KETLINE_SECRETS_DIR" "/run/ketline" "KETLINE_AUTH" $root.Values.auth) (index . 1) -}}
{{- $given := merge (dict) (index . 2) $root.Values.settings -}}
{{- range $name := keys $own -}}
{{- if hasKey $given $name -}}
{{- fail (printf "settings.%s: the chart sets it, from a value of its own (see values.yaml)" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := merge (dict) $own $given }}
- name: {{ $name }}
  value: {{ include "ketline.text" $value | quote }}
{{- end }}
{{- end -}}

{{/* A value as text; a large number is not written with an exponent. */}}
{{- define "ketline.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* A container of the migration; the argument is a list of the root, its name, and its arguments. */}}
{{- define "ketline.migrate" -}}
{{- $root := index . 0 -}}
{{- $migration := $root.Values.migration -}}
- name: {{ index . 1 }}
  image: {{ include "ketline.image" (list $root $migration.image) }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  args: [{{ index . 2 }}]
  env: {{- include "ketline.env" (list $root dict $migration.settings) | nindent 4 }}
  resources: {{- toYaml $migration.resources | nindent 4 }}
  {{- include "ketline.container" $root | nindent 2 }}
{{- end -}}

{{/* Probes on a port; readiness ends with the first signal to stop. */}}
{{- define "ketline.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/* Where pods run; the argument is the api or a pool of workers. */}}
{{- define "ketline.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pools of workers, as JSON: of each name its values on top of those of `worker`. */}}
{{- define "ketline.pools" -}}
{{- $pools := dict -}}
{{- range $name, $own := .Values.workers -}}
{{- if kindIs "map" $own -}}
{{- $_ := set $pools $name (mergeOverwrite (deepCopy $.Values.worker) (deepCopy $own)) -}}
{{- end -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{/* A trigger of KEDA; the argument is a list of the root, a pool, a metric with its labels, and its value for each pod. */}}
{{- define "ketline.trigger" -}}
{{- $root := index . 0 -}}
{{- $address := (index . 1).autoscaling.prometheusAddress -}}
{{- $metric := index . 2 -}}
{{- $target := index . 3 | int -}}
{{- if $address -}}
{{- $own := printf "{namespace=%q," $root.Release.Namespace -}}
- type: prometheus
  metricType: AverageValue
  metadata:
    serverAddress: {{ $address }}
    # All APIs show the same number, of the whole service.
    query: max({{ $metric | replace "{" $own }})
    threshold: {{ $target | quote }}
    ignoreNullValues: "false"
{{- else -}}
- type: metrics-api
  metricType: AverageValue
  metadata:
    url: http://{{ include "ketline.fullname" $root }}-api-metrics.{{ $root.Release.Namespace }}.svc:{{ $root.Values.api.metricsPort }}/metrics
    format: prometheus
    valueLocation: {{ $metric | squote }}
    targetValue: {{ $target | quote }}
{{- end -}}
{{- end -}}
