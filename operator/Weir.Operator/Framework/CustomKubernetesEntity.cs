using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Weir.Operator.Framework;

/// <summary>A custom resource with a specification and a status.</summary>
/// <typeparam name="TSpec">What is wanted.</typeparam>
/// <typeparam name="TStatus">What is.</typeparam>
public abstract class CustomKubernetesEntity<TSpec, TStatus> : IKubernetesObject<V1ObjectMeta>
    where TSpec : class, new()
    where TStatus : class, new()
{
    /// <inheritdoc/>
    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = string.Empty;

    /// <inheritdoc/>
    [JsonPropertyName("kind")]
    public string Kind { get; set; } = string.Empty;

    /// <inheritdoc/>
    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    /// <summary>What is wanted.</summary>
    [JsonPropertyName("spec")]
    public TSpec Spec { get; set; } = new();

    /// <summary>What is.</summary>
    [JsonPropertyName("status")]
    public TStatus? Status { get; set; }
}
