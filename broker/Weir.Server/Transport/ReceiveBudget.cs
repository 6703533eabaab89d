using Weir.Protocol.Wire;

namespace Weir.Server.Transport;

/// <summary>Bounds what all connections together hold in large receive buffers. Thread-safe.</summary>
internal sealed class ReceiveBudget(long maxBytes) : IBufferBudget
{
    private long _bytes;

    public bool TryReserve(int bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= maxBytes)
        {
            return true;
        }

        Release(bytes);
        return false;
    }

    public void Release(int bytes) => Interlocked.Add(ref _bytes, -bytes);
}
