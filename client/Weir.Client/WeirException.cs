using System.Text;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client;

/// <summary>The one exception of the client for faults of brokers, connections and data. Immutable, thread-safe.</summary>
/// <remarks>
/// Wrong arguments throw <see cref="ArgumentException"/>, use after dispose <see cref="ObjectDisposedException"/>, and
/// cancellation <see cref="OperationCanceledException"/>.
/// </remarks>
public class WeirException : Exception
{
    /// <summary>Creates one.</summary>
    /// <param name="code">What went wrong.</param>
    /// <param name="message">What went wrong, for people.</param>
    /// <param name="innerException">What caused it, or null.</param>
    public WeirException(ErrorCode code, string message, Exception? innerException = null)
        : base(message, innerException) => Code = code;

    /// <summary>What went wrong.</summary>
    public ErrorCode Code { get; }

    /// <summary>Whether the same call may succeed later without any change.</summary>
    public bool IsRetriable => ErrorCatalog.Get(Code).IsRetriable;

    /// <summary>
    /// Whether what was asked for may have happened nevertheless: a record that failed with this may be in the log. Whoever sends
    /// it again by hand may get it twice.
    /// </summary>
    public bool MayHaveTakenEffect { get; init; }

    /// <summary>What to do about it, as a sentence for people.</summary>
    public string Advice => ErrorCatalog.Get(Code).Advice;

    /// <summary>The topic concerned, or null.</summary>
    public string? Topic { get; init; }

    /// <summary>The partition concerned, or null.</summary>
    public int? Partition { get; init; }

    /// <summary>The offset concerned, or null.</summary>
    public long? Offset { get; init; }

    /// <summary>How long the broker asked to wait before a retry; zero if it did not.</summary>
    public TimeSpan RetryAfter { get; init; }

    /// <summary>For <see cref="WeirProducer.FlushAsync"/>: how many records failed; else 0.</summary>
    public long FailedRecords { get; init; }

    internal static WeirException From(ErrorMessage error, string? topic = null, int? partition = null, long? offset = null) =>
        new(error.Error, Describe(error.Error, error.Text, topic, partition, offset))
        {
            Topic = topic,
            Partition = partition,
            Offset = offset,
            RetryAfter = TimeSpan.FromMilliseconds(Math.Max(error.RetryAfterMs, 0)),
        };

    /// <summary>The same of something that may have taken effect.</summary>
    internal static WeirException InDoubt(WeirException error) => new(error.Code, error.Message, error.InnerException)
    {
        Topic = error.Topic,
        Partition = error.Partition,
        Offset = error.Offset,
        RetryAfter = error.RetryAfter,
        MayHaveTakenEffect = true,
    };

    internal static WeirException At(
        ErrorCode code, string text, string topic, int partition, long? offset = null, Exception? inner = null) =>
        new(code, Describe(code, text, topic, partition, offset), inner)
        {
            Topic = topic,
            Partition = partition,
            Offset = offset,
        };

    internal static WeirException Lost(string text, Exception? inner = null) => new(ErrorCode.ConnectionLost, text, inner);

    private static string Describe(ErrorCode code, string text, string? topic, int? partition, long? offset)
    {
        var builder = new StringBuilder();
        builder.Append(code).Append(": ").Append(text.Length > 0 ? text : ErrorCatalog.Get(code).Advice);
        if (topic is not null)
        {
            builder.Append(" (topic ").Append(topic);
            if (partition is { } index)
            {
                builder.Append(", partition ").Append(index);
            }

            if (offset is { } at)
            {
                builder.Append(", offset ").Append(at);
            }

            builder.Append(')');
        }

        return builder.ToString();
    }
}
