using System.Runtime.InteropServices;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>
/// Frames that leave together in one send: encoded bytes, with long payloads (record batches) spliced in uncopied. Guarded
/// by the sender's lock while filled, owned by the sender while sent.
/// </summary>
internal sealed class OutboundFrames : IDisposable
{
    /// <summary>Shorter payloads are copied: a splice costs the operating system more than these bytes do.</summary>
    private const int CopyBelowBytes = 4096;

    /// <summary>Linux takes at most 1,024 pieces in one call; each splice makes two.</summary>
    private const int MaxSplices = 256;

    private readonly WireBuffer _bytes = new(4096);
    private readonly List<(int Position, ReadOnlyMemory<byte> Payload)> _splices = [];
    private readonly List<ISentHandler> _sent = [];
    private readonly List<ArraySegment<byte>> _pieces = [];

    public bool IsEmpty => _bytes.Length == 0;

    public void Add<T>(FrameKind kind, ApiKeyAndVersion api, uint correlationId, T message, ISentHandler? sent)
        where T : IMessage
    {
        var payload = Frames.Append(_bytes, kind, api.Key, api.Version, correlationId, message);
        if (sent is not null)
        {
            _sent.Add(sent);
        }

        if (payload.Length < CopyBelowBytes || _splices.Count >= MaxSplices)
        {
            payload.Span.CopyTo(_bytes.Append(payload.Length));
        }
        else
        {
            _splices.Add((_bytes.Length, payload));
        }
    }

    /// <summary>All bytes in one piece, if nothing is spliced in.</summary>
    public bool TryGetSingle(out ReadOnlyMemory<byte> bytes)
    {
        bytes = _bytes.Memory;
        return _splices.Count == 0;
    }

    /// <summary>All bytes in pieces; the list may be changed by the caller.</summary>
    public List<ArraySegment<byte>> GetPieces()
    {
        _pieces.Clear();
        var from = 0;
        foreach (var (position, payload) in _splices)
        {
            AddPiece(_bytes.Memory[from..position]);
            AddPiece(payload);
            from = position;
        }

        AddPiece(_bytes.Memory[from..]);
        return _pieces;
    }

    /// <summary>Tells those who wait that their frames left, and makes room for the next.</summary>
    public void Sent()
    {
        foreach (var handler in _sent)
        {
            handler.OnSent();
        }

        Clear();
    }

    /// <summary>Tells those who wait that their frames may not have left.</summary>
    public void Lost(WeirException reason)
    {
        foreach (var handler in _sent)
        {
            handler.OnLost(reason);
        }

        Clear();
    }

    public void Dispose() => _bytes.Dispose();

    private void Clear()
    {
        _bytes.Clear();
        _splices.Clear();
        _sent.Clear();
        _pieces.Clear();
    }

    private void AddPiece(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > 0 && MemoryMarshal.TryGetArray(bytes, out var segment))
        {
            _pieces.Add(segment);
        }
    }
}

/// <summary>Which message of the protocol.</summary>
internal readonly record struct ApiKeyAndVersion(Protocol.ApiKey Key, ushort Version);
