using System.Net;

namespace Weir.Operator.Kubernetes;

/// <summary>The API server refused a request, or answered with something that it never should.</summary>
internal sealed class KubeApiException : Exception
{
    public KubeApiException(HttpStatusCode status, string reason, string message, TimeSpan? retryAfter = null)
        : base($"{(int)status} {reason}: {message}")
    {
        Status = status;
        Reason = reason;
        RetryAfter = retryAfter;
    }

    /// <summary>The status, of the response or of an error within a watch.</summary>
    public HttpStatusCode Status { get; }

    /// <summary>The reason in one word, as Expired or Conflict; empty if the server gave none.</summary>
    public string Reason { get; }

    /// <summary>How long the server asked to wait; null if it did not.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>Whether the history that a watch or a page starts from is gone: list again.</summary>
    public bool IsExpired => Status == HttpStatusCode.Gone || Reason is "Expired" or "Gone";

    public bool IsConflict => Status == HttpStatusCode.Conflict;

    public bool IsNotFound => Status == HttpStatusCode.NotFound;

    /// <summary>Whether the same request can never succeed: what it asks for is refused, not the moment.</summary>
    public bool IsFinal => Status is HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest;
}
