{{/* Names. */}}
{{- define "rice.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "rice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "rice.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "rice.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rice.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "rice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "rice.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Labels of everything: (dict "root" $ "component" "worker"). */}}
{{- define "rice.selector" -}}
app.kubernetes.io/name: {{ include "rice.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "rice.labels" -}}
{{ include "rice.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: rice-stream
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Whether the server has TLS of its own. */}}
{{- define "rice.scheme" -}}
{{- if .Values.server.tls.secret -}}HTTPS{{- else -}}HTTP{{- end -}}
{{- end -}}

{{/* What a process of ours is given: (dict "root" $ "component" "worker" "settings" .Values.worker.settings "secret" NAME). */}}
{{- define "rice.environment" -}}
{{- $settings := merge (deepCopy (default (dict) .settings)) (deepCopy .root.Values.settings) -}}
env:
  # Inside the pod; who may reach it is for Service and NetworkPolicy to say.
  - name: RICE_HTTP_HOST
    value: "0.0.0.0"
  {{- range $name := keys $settings | sortAlpha }}
  - name: RICE_{{ upper $name }}
    value: {{ include "rice.value" (get $settings $name) | quote }}
  {{- end }}
  {{- if and (eq .component "worker") .root.Values.budgets }}
  - name: RICE_BUDGETS_FILE
    value: /etc/rice/budgets/budgets.yaml
  {{- end }}
  {{- if eq .component "server" }}
  {{- if .root.Values.server.tls.secret }}
  - name: RICE_HTTP_TLS_CERTIFICATE
    value: /etc/rice/tls/tls.crt
  - name: RICE_HTTP_TLS_KEY
    value: /etc/rice/tls/tls.key
  {{- else }}
  - name: RICE_HTTP_TRUSTED_PROXIES
    value: {{ join "," .root.Values.server.trustedProxies | quote }}
  {{- end }}
  {{- with .root.Values.server.publicUrl }}
  - name: RICE_HTTP_PUBLIC_URL
    value: {{ . | quote }}
  {{- end }}
  {{- if .root.Values.server.claims }}
  - name: RICE_OIDC_CLAIMS_FILE
    value: /etc/rice/claims/claims.yaml
  {{- end }}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
envFrom:
  - secretRef:
      name: {{ .secret }}
{{- end -}}

{{/* A number as it was written: 1000000, where Helm would make 1e+06 of it. */}}
{{- define "rice.value" -}}
{{- if kindIs "float64" . -}}
{{- if eq (float64 (int64 .)) . -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{/* The profile `restricted` of the Pod Security Standards. */}}
{{- define "rice.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "rice.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What pods of ours have in common. */}}
{{- define "rice.pod" -}}
automountServiceAccountToken: false
# A Service of the name rice-... would put RICE_..._PORT into the environment, which is no setting.
enableServiceLinks: false
securityContext:
  {{- include "rice.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where pods run: (dict "root" $ "component" "worker" "values" .Values.worker). */}}
{{- define "rice.placement" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- $root := . }}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "rice.selector" $root | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What has to be set, said before anything is rendered. */}}
{{- define "rice.check" -}}
{{- if not .Values.secrets.worker -}}
{{- fail "secrets.worker: name the Secret with RICE_DATABASE_URL of the tables' owner; docs/deploying.md shows how to make it" -}}
{{- end -}}
{{- if .Values.server.enabled -}}
{{- if not .Values.secrets.server -}}
{{- fail "secrets.server: name the Secret with RICE_DATABASE_URL of a login in the role rice_api (docs/access.md), or set server.enabled=false" -}}
{{- end -}}
{{- if and (not .Values.server.tls.secret) (not .Values.server.trustedProxies) -}}
{{- fail "server.tls.secret or server.trustedProxies: the server starts only where tokens are protected on their way; name a TLS Secret, or the networks of the proxies before it that have TLS" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.worker.keda.enabled (gt (int .Values.worker.keda.minReplicas) (int .Values.worker.keda.maxReplicas)) -}}
{{- fail "worker.keda.maxReplicas: must not be below worker.keda.minReplicas" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host: is needed with ingress.enabled" -}}
{{- end -}}
{{- end -}}
