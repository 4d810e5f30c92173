{{/*
The pod of a service, what stands under spec. Takes (list $ name service): service is one of "smspay.services", or made of one for a Job,
which has besides: args (what follows the path), claims (where each is mounted, and which it is), restartPolicy.
*/}}
{{- define "smspay.pod" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}{{- $service := index . 2 -}}
serviceAccountName: {{ $root.Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $service.restartPolicy }}
restartPolicy: {{ . }}
{{- end }}
securityContext: {{- include "smspay.podSecurity" $root | nindent 2 }}
{{- include "smspay.placement" (list $root $service) }}
topologySpreadConstraints: {{- include "smspay.spread" (list $root $name) | nindent 2 }}
# Longer than preStop and the longest stop of a service, 25 s.
terminationGracePeriodSeconds: 40
containers:
  - name: {{ $name }}
    image: {{ include "smspay.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: [node, {{ if and $root.Values.image.watch $service.port }}--watch, {{ end }}dist/{{ $service.path | default (printf "apps/%s/src/main.js" $name) }}]
    {{- with $service.args }}
    args: {{ toJson . }}
    {{- end }}
    securityContext: {{- include "smspay.containerSecurity" $root | nindent 6 }}
    {{- if $service.port }}
    ports: [{ name: http, containerPort: {{ $service.port }} }]
    {{- end }}
    env:
      {{- $env := dict "SMSPAY_MODE" (include "smspay.mode" $root) }}
      {{- if $service.port }}{{- $_ := set $env "PORT" ($service.port | toString) }}{{- end }}
      {{- if $service.nats }}
      {{- $_ := set $env "NATS_URL" (include "smspay.natsUrl" $root) }}
      {{- $_ := set $env "NATS_CREDS" "/etc/smspay/nats/seed" }}
      {{- $_ := set $env "NATS_CA" "/etc/smspay/nats/ca.crt" }}
      {{- end }}
      {{- range $service.keys }}{{- $_ := set $env (index $root.Values.keys .).env (printf "/etc/smspay/%s/keys.json" .) }}{{- end }}
      {{- if $root.Values.fees }}{{- $_ := set $env "FEES" "/etc/smspay/fees/fees.json" }}{{- end }}
      {{- if $service.twilio }}
      {{- $_ := set $env "PUBLIC_URL" ($root.Values.publicUrl | default (printf "http://%s-sms-gateway:%v" $root.Release.Name $root.Values.defaults.port)) }}
      {{- $_ := set $env "TWILIO_ACCOUNT_SID" ($root.Values.twilio.accountSid | default "AC00000000000000000000000000000001") }}
      {{- end }}
      {{- if $root.Values.simulator.enabled }}
      {{- $simulator := printf "http://%s-simulator:%v" $root.Release.Name $root.Values.defaults.port }}
      {{- $_ := set $env "TWILIO_API_URL" $simulator }}
      {{- $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" $simulator }}
      {{- $_ := set $env "SMS_NUMBERS" "+254700000001" }}
      {{- else if $root.Values.twilio.numbers }}
      {{- $_ := set $env "SMS_NUMBERS" $root.Values.twilio.numbers }}
      {{- end }}
      {{- with $root.Values.otlp.endpoint }}{{- $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{- end }}
      {{- range $key, $value := mergeOverwrite $env (deepCopy $root.Values.env) $service.env }}
      - { name: {{ $key }}, value: {{ $value | quote }} }
      {{- end }}
      {{- if $service.twilio }}
      - name: TWILIO_AUTH_TOKEN
        valueFrom: { secretKeyRef: { name: {{ include "smspay.twilioSecret" $root | quote }}, key: authToken } }
      - name: TWILIO_AUTH_TOKEN_SECONDARY
        valueFrom: { secretKeyRef: { name: {{ include "smspay.twilioSecret" $root | quote }}, key: authTokenSecondary, optional: true } }
      {{- if not (or $root.Values.simulator.enabled $root.Values.twilio.numbers) }}
      - name: SMS_NUMBERS
        valueFrom: { secretKeyRef: { name: {{ include "smspay.twilioSecret" $root | quote }}, key: numbers } }
      {{- end }}
      {{- end }}
      {{- with $service.database }}
      - {{ include "smspay.mongodbUri" (list $root .) | nindent 8 | trim }}
      {{- end }}
    {{- if $service.port }}
    startupProbe: { httpGet: { path: {{ $service.health.live }}, port: http }, periodSeconds: 1, failureThreshold: 60 }
    livenessProbe: { httpGet: { path: {{ $service.health.live }}, port: http }, periodSeconds: 10, timeoutSeconds: 5 }
    # A look at MongoDB may take 2 s.
    readinessProbe: { httpGet: { path: {{ $service.health.ready }}, port: http }, periodSeconds: 3, timeoutSeconds: 3, failureThreshold: 2 }
    # Until every node has taken the pod out of its Services.
    lifecycle: { preStop: { sleep: { seconds: 3 } } }
    {{- end }}
    resources: {{- toYaml $service.resources | nindent 6 }}
    volumeMounts:
      {{- if $service.nats }}
      - { name: nats, mountPath: /etc/smspay/nats, readOnly: true }
      {{- end }}
      {{- range $path, $_ := $service.claims }}
      - { name: {{ base $path }}, mountPath: {{ $path }} }
      {{- end }}
      {{- range $service.keys }}
      - { name: {{ . }}, mountPath: /etc/smspay/{{ . }}, readOnly: true }
      {{- end }}
      {{- if $root.Values.fees }}
      - { name: fees, mountPath: /etc/smspay/fees, readOnly: true }
      {{- end }}
      {{- if $root.Values.secretProviderClass }}
      - { name: secrets-store, mountPath: /mnt/secrets-store, readOnly: true }
      {{- end }}
volumes:
  {{- if $service.nats }}
  - name: nats
    projected:
      defaultMode: 0440
      sources:
        {{- include "smspay.natsSeed" (list $root $name "seed") | nindent 8 }}
        {{- include "smspay.natsCa" $root | nindent 8 }}
  {{- end }}
  {{- range $path, $claim := $service.claims }}
  - { name: {{ base $path }}, persistentVolumeClaim: { claimName: {{ quote $claim }} } }
  {{- end }}
  {{- range $service.keys }}
  - name: {{ . }}
    secret: { secretName: {{ include "smspay.keySecret" (list $root .) | quote }}, defaultMode: 0440 }
  {{- end }}
  {{- if $root.Values.fees }}
  - name: fees
    configMap: { name: {{ $root.Release.Name }}-fees }
  {{- end }}
  {{- with $root.Values.secretProviderClass }}
  # Nothing reads it: while a pod mounts it, the driver keeps the Secrets that the class names.
  - name: secrets-store
    csi: { driver: secrets-store.csi.k8s.io, readOnly: true, volumeAttributes: { secretProviderClass: {{ quote . }} } }
  {{- end }}
{{- end }}
