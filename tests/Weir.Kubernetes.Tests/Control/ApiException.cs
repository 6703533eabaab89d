using System.Net;

namespace Weir.Kubernetes.Tests.Control;

/// <summary>The API server refused a request.</summary>
public sealed class ApiException(HttpStatusCode status, string message) : IOException(message)
{
    public HttpStatusCode Status { get; } = status;
}
