namespace Weir.Protocol.Errors;

/// <summary>
/// The one exception of this module: a peer's bytes or a request break a rule of the protocol. The receiver answers with
/// <see cref="Code"/>, and closes the connection where <see cref="ErrorInfo.ClosesConnection"/> says so.
/// </summary>
public sealed class ProtocolException : Exception
{
    /// <summary>Creates one.</summary>
    public ProtocolException(ErrorCode code, string message)
        : base(message) => Code = code;

    /// <summary>What went wrong.</summary>
    public ErrorCode Code { get; }
}
