namespace Weir.Kubernetes.Tests;

/// <summary>Values of the chart and resources, as users write them.</summary>
internal static class Values
{
    public static string Brokers(int count) => $"""
        cluster:
          brokers: {count}
          storage:
            size: 1Gi
          resources:
            requests:
              cpu: 10m

        """;

    /// <summary>A setting that restarts the brokers; it goes after <see cref="Brokers"/>.</summary>
    public const string OtherSetting = """
          config:
            RetentionInterval: "00:00:20"

        """;

    public static string Topic(string name, int partitions = 1, int replicas = 1, string more = "") => $$"""
        apiVersion: weir.dev/v1alpha1
        kind: Topic
        metadata:
          name: {{name}}
        spec:
          clusterRef: {name: w}
          partitions: {{partitions}}
          replicas: {{replicas}}
          {{more}}
        """;

    public static string Group(string name, string topic, string more = "") => $$"""
        apiVersion: weir.dev/v1alpha1
        kind: ConsumerGroup
        metadata:
          name: {{name}}
        spec:
          clusterRef: {name: w}
          mode: keyed
          topics: [{{topic}}]
          {{more}}
        """;
}
